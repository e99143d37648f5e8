"""The command `relativenas`, for `torchrun -m relativenas_optuna` and `python -m`."""

from relativenas_optuna.cli.main import main

if __name__ == "__main__":
    main()
