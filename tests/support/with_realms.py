"""Civitas with realms of tests beside its own: `python -m tests.support.with_realms A,B worker`.

The first argument names folders of realms; the others are the command line.
"""

import sys

import realms
from foundations.experience.command_line import main
from main import Platform

if __name__ == "__main__":
    realms.__path__.extend(folder for folder in sys.argv[1].split(",") if folder)
    sys.exit(main(Platform, sys.argv[2:]))
