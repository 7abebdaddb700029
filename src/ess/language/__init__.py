"""The row language: lexer, parser, type checker, and the checked tree the engines compile."""
