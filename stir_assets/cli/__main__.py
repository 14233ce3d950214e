"""`python -m stir_assets.cli`: the `stir` program without its script."""

from stir_assets.cli.main import main

main()
