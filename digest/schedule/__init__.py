"""When editions are due: rules people write, the local dates they fall on, and the clock that wakes the program."""
