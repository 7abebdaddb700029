"""Tokens to a syntax tree.

The grammar has four levels; operators of one level have no precedence over each other and
are taken from left to right:

    logic      := term (("&&" | "||") term)*
    term       := "!" term | comparison
    comparison := chain [compare chain]
    chain      := operand (("+" | "-" | "*" | "/" | "%" | "&" | "|" | "^") operand)*
    operand    := number | string | address | name | "$" name | name "(" arguments ")"
                | "(" logic ")" | "-" operand
"""

from __future__ import annotations

import re

from ess.errors import OptionError
from ess.language import syntax
from ess.language.lexer import COMPARISONS, Token, TokenKind, expression_error, tokens_of

#: How deep parentheses and calls may nest, and how many operators a chain may have.
MAX_DEPTH = 40
MAX_CHAIN = 400

_ARITHMETIC = frozenset("+-*/%&|^")
#: Words of other languages, and how to write them here.
_FOREIGN = {
    "and": "the operator is '&&'",
    "or": "the operator is '||'",
    "not": "the operator is '!'",
    "eq": "the operator is '=='",
    "is": "the operator is '=='",
    "ne": "the operator is '!='",
    "mod": "the operator is '%'",
    "like": "compare with a pattern by PatCmp(Val, Pattern)",
    "in": "compare with each value, joined by '||'",
    "between": "compare with both ends, joined by '&&'",
}
#: The same for two operators in a row.
_FOREIGN_PAIRS = {"<>": "the operator is '!='", "**": "a power is Pow(Val, Power)"}
# A word list in which a word has a value, "zero|dec=2|beg=?", up to the comma or parenthesis that ends it.
_VALUED_WORDS = re.compile(
    r"\s*((?:\w+\s*\|\s*)*\w+=(?![=])[^,()|\"']*(?:\|\s*\w+(?:=[^,()|\"']*)?\s*)*)(?=[,)])", re.ASCII
)


def parse(text: str, *, where: str) -> syntax.Expression:
    """Parse one expression.

    Args:
        text: The expression.
        where: The option it stands in, for errors.

    Raises:
        OptionError: If it is not of the grammar.
    """
    return _Parser(text, where).whole()


class _Parser:
    def __init__(self, text: str, where: str) -> None:
        self._text = text
        self._where = where
        self._index = 0
        self._depth = 0
        self._words: dict[int, syntax.Words] = {}
        self._tokens = self._tokenize()

    def whole(self) -> syntax.Expression:
        if self._peek().kind is TokenKind.END:
            raise self._error("the expression is empty")
        result = self._logic()
        if self._peek().kind is not TokenKind.END:
            raise self._unexpected()
        return result

    # Word lists such as "beg=?" are no tokens of the language, so they are cut out beforehand.
    def _tokenize(self) -> list[Token]:
        masked = self._text
        for opening in re.finditer(r"[(,]", self._text):
            match = _VALUED_WORDS.match(self._text, opening.end())
            if match and not self._inside_string(opening.start()):
                words = match[1]
                start = match.start(1)
                self._words[start] = syntax.Words(start, words.strip())
                masked = masked[:start] + "w" * len(words) + masked[start + len(words) :]
        return tokens_of(masked, where=self._where) if self._words else tokens_of(self._text, where=self._where)

    def _inside_string(self, position: int) -> bool:
        quote, index = "", 0
        while index < position:
            character = self._text[index]
            if quote == '"' and character == "\\":
                index += 1
            elif quote:
                quote = "" if character == quote else quote
            elif character in "\"'":
                quote = character
            index += 1
        return bool(quote)

    def _peek(self) -> Token:
        return self._tokens[self._index]

    def _take(self) -> Token:
        token = self._tokens[self._index]
        self._index += 1
        return token

    def _is(self, *operators: str) -> bool:
        return self._peek().kind is TokenKind.OPERATOR and self._peek().text in operators

    def _error(self, what: str, hint: str = "") -> OptionError:
        return expression_error(what, self._text, self._peek().position, self._where, hint)

    def _unexpected(self, wanted: str = "") -> OptionError:
        token = self._peek()
        found = "end of the expression" if token.kind is TokenKind.END else f"'{token.text}'"
        what = f"unexpected {found}" + (f" where {wanted} should be" if wanted else "")
        before = self._tokens[self._index - 1] if self._index else token
        # "not a" is a name before a name, "a and b" one behind a value.
        word = before.text.lower() if before.text.lower() == "not" else token.text.lower()
        return self._error(what, _FOREIGN_PAIRS.get(before.text + token.text) or _FOREIGN.get(word, ""))

    def _logic(self) -> syntax.Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"more than {MAX_DEPTH} levels of parentheses", "split the expression over several -eval")
        first = self._term()
        steps: list[syntax.Step] = []
        while self._is("&&", "||"):
            operator = self._take()
            steps.append(syntax.Step(operator.position, operator.text, self._term()))
            self._check_length(steps)
        self._depth -= 1
        return syntax.Logical(first.position, first, tuple(steps)) if steps else first

    def _check_length(self, steps: list[syntax.Step]) -> None:
        if len(steps) > MAX_CHAIN:
            raise self._error(f"more than {MAX_CHAIN} operators in a row", "split the expression over several options")

    def _term(self) -> syntax.Expression:
        bangs: list[Token] = []
        while self._is("!"):
            bangs.append(self._take())
        result = self._comparison()
        return syntax.Negation(bangs[0].position, result) if len(bangs) % 2 else self._double(bangs, result)

    def _double(self, bangs: list[Token], result: syntax.Expression) -> syntax.Expression:
        if not bangs:
            return result
        return syntax.Negation(bangs[0].position, syntax.Negation(bangs[1].position, result))

    def _comparison(self) -> syntax.Expression:
        left = self._chain()
        if not self._is(*COMPARISONS):
            return left
        operator = self._take()
        right = self._chain()
        if self._is(*COMPARISONS):
            raise self._error("a second comparison", "put the first one into parentheses")
        return syntax.Comparison(operator.position, operator.text, left, right)

    def _chain(self) -> syntax.Expression:
        first = self._operand()
        steps: list[syntax.Step] = []
        while self._peek().kind is TokenKind.OPERATOR and self._peek().text in _ARITHMETIC:
            operator = self._take()
            steps.append(syntax.Step(operator.position, operator.text, self._operand()))
            self._check_length(steps)
        return syntax.Chain(first.position, first, tuple(steps)) if steps else first

    def _operand(self) -> syntax.Expression:
        token = self._peek()
        if self._is("-", "+"):
            return self._signed()
        if self._is("("):
            self._take()
            inner = self._logic()
            self._expect(")")
            return syntax.Group(token.position, inner)
        if token.kind is TokenKind.NUMBER and not isinstance(token.value, bytes):
            self._take()
            return syntax.Number(token.position, token.value)
        if token.kind is TokenKind.STRING and isinstance(token.value, bytes):
            self._take()
            return syntax.Text(token.position, token.value)
        if token.kind is TokenKind.ADDRESS and isinstance(token.value, bytes):
            self._take()
            return syntax.Address(token.position, token.value)
        if token.kind is TokenKind.BUILTIN:
            self._take()
            return syntax.BuiltinName(token.position, token.text[1:])
        if token.kind is TokenKind.NAME:
            self._take()
            return self._call(token) if self._is("(") else syntax.Name(token.position, token.text)
        raise self._unexpected("a value")

    def _signed(self) -> syntax.Expression:
        sign = self._take()
        if self._is("-", "+"):
            raise self._unexpected("a value")
        operand = self._operand()
        if sign.text == "+":
            return operand
        if isinstance(operand, syntax.Number):
            value = -operand.value
            return syntax.Number(sign.position, value if isinstance(value, float) or value < 2**63 else value - 2**64)
        return syntax.Negative(sign.position, operand)

    def _call(self, name: Token) -> syntax.Expression:
        self._expect("(")
        arguments: list[syntax.Expression] = []
        if not self._is(")"):
            arguments.append(self._argument())
            while self._is(","):
                self._take()
                arguments.append(self._argument())
        self._expect(")")
        return syntax.Invocation(name.position, name.text, tuple(arguments))

    def _argument(self) -> syntax.Expression:
        words = self._words.get(self._peek().position)
        if words is not None:
            self._take()
            return words
        return self._logic()

    def _expect(self, operator: str) -> None:
        if not self._is(operator):
            raise self._unexpected(f"'{operator}'")
        self._take()
