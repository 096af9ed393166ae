"""`python -m homeostat` is `homeostat`."""

from homeostat.cli import main

if __name__ == "__main__":
    main()
