"""The compatibility page: every name of the reference manuals with its state here."""
