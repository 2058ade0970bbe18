"""`python -m aforo` is the `aforo` command."""

from aforo.cli.main import main

if __name__ == "__main__":
    main()
