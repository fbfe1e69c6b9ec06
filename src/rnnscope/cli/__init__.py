"""The command line: parse, call, print. No mathematics here."""

from rnnscope.cli.app import main as main
