"""`python -P -m cli`: the same as the `laneway` command."""

from cli.main import main

if __name__ == "__main__":
    main()
