"""Tables of any kind of file as typed columns, and their columns as inputs of a net."""
