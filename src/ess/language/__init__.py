"""The row language: lexer, parser, type checker, and the checked tree that the engines compile.

From text to a checked tree:
    - ``lexer``: text to tokens; ``parser``: tokens to a syntax tree, whose nodes are in ``syntax``.
    - ``checker``: names and types, to the checked ``tree``; ``arguments``: those of a call; ``scope``: the known names.
    - ``folding``: constant parts are computed once; ``older``: functions of earlier versions; ``nearest``: suggestions.
    - ``program``: a chain of rules; ``walk``: visits trees and programs.

On the way to another process:
    - ``portable``: a checked tree as plain values, and back; ``portable_rules``: rules; ``plain``: the plain values.

Functions:
    - ``function``: the definition of one; ``functions``: the table of them, by subject.
    - ``values``: arithmetic; ``date_format``: dates; ``text_codes``: URL encoding and base64.
    - ``random_sequence``: ``$Random``; ``key_hash``: the hash that places a key.
    - ``regex``: regular expressions; ``mapping``: RT patterns and templates; ``row_module``: a user's Python files.
"""
