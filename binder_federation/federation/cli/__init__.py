"""The command `binderfed`: one module per subcommand, `main.py` puts them together."""
