"""Lets ``python -m tianji`` do what the command ``tianji`` does."""

from tianji.cli import main

if __name__ == "__main__":
    main()
