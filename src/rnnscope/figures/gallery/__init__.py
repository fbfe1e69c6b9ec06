"""One public module per figure, with a function of the same name: adding a figure is adding a file."""
