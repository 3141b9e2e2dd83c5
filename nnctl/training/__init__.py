"""Training: the loop, its timetable and events, one run from its spec to its folder."""
