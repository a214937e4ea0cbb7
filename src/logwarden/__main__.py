"""Run the command line with ``python -m logwarden``."""

from logwarden.cli import main

if __name__ == "__main__":
    main()
