"""Suites of files: tables read, predictions for them, data larger than memory, what people bring."""
