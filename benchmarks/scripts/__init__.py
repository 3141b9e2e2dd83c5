"""The shortest usual scripts in other libraries, each the work of one command of nnctl; run as files, not imported."""
