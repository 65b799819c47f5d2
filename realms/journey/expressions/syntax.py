"""The syntax of expressions: a text is read into a tree, or refused with a column."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from realms.journey.expressions.tokens import FaultyExpression, Token, tokens, unquoted

MAX_TEXT = 4096
MAX_NESTING = 50
INT64 = range(-(2**63), 2**63)
MACROS = {"all": 1, "exists": 1, "exists_one": 1, "filter": 1, "map": 2}
"""Macros over a list, and how many bodies each may have beside its variable."""


@dataclass(frozen=True, slots=True)
class Literal:
    at: int
    value: Any


@dataclass(frozen=True, slots=True)
class Name:
    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """`of.field`, or with `tested` what `has(of.field)` asks."""

    at: int
    of: "Node"
    field: str
    tested: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    at: int
    of: "Node"
    key: "Node"


@dataclass(frozen=True, slots=True)
class ListOf:
    at: int
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class MapOf:
    at: int
    keys: tuple["Node", ...]
    values: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function, or a method: then `args[0]` is what it is called on."""

    at: int
    name: str
    args: tuple["Node", ...]
    method: bool


@dataclass(frozen=True, slots=True)
class Operator:
    """`&&` and `||` have two or more args, `?:` three, `!` and `neg` one, all others two."""

    at: int
    symbol: str
    args: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Macro:
    at: int
    name: str
    over: "Node"
    variable: str
    bodies: tuple["Node", ...]


Node: TypeAlias = Literal | Name | Select | Index | ListOf | MapOf | Call | Operator | Macro


def parse(text: str) -> Node:
    """The tree of an expression.

    Raises:
        FaultyExpression: it is no expression, is too long, or is nested too deeply.
    """
    if len(text) > MAX_TEXT:
        raise FaultyExpression(f"is longer than {MAX_TEXT} characters", column=MAX_TEXT)
    if not text.strip():
        raise FaultyExpression("is empty", column=0)
    tree = _Parser(text).whole()
    _refuse_depth(tree)
    return tree


def children(node: Node) -> tuple[Node, ...]:
    match node:
        case Select(of=of):
            return (of,)
        case Index(of=of, key=key):
            return (of, key)
        case ListOf(items=items):
            return items
        case MapOf(keys=keys, values=values):
            return keys + values
        case Call(args=args) | Operator(args=args):
            return args
        case Macro(over=over, bodies=bodies):
            return (over, *bodies)
    return ()


_OPERATORS = ("||", "&&", "== != < <= > >= in", "+ -", "* / %")
_RANKS = {symbol: rank for rank, some in enumerate(_OPERATORS, 1) for symbol in some.split()}


class _Parser:
    """Recursive descent; each rule takes its tokens and returns a node."""

    def __init__(self, text: str) -> None:
        self._tokens = tuple(tokens(text))
        self._next = 0
        self._nesting = 0

    def whole(self) -> Node:
        tree = self._expression()
        token = self._peek()
        if token.kind != "end":
            if token.text == ":" and isinstance(tree, Name):
                raise FaultyExpression(
                    f'there is no "{tree.name}:" in expressions',
                    column=tree.at,
                    hint='A secret is given as {secret: name} in "with"',
                )
            raise self._unexpected(token)
        return tree

    def _expression(self) -> Node:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise _too_deep(self._peek().at)
        condition = self._binary()
        if mark := self._take("?"):
            then = self._binary()
            self._need(":")
            condition = Operator(mark.at, "?:", (condition, then, self._expression()))
        self._nesting -= 1
        return condition

    def _binary(self, least: int = 1) -> Node:
        """Precedence climbing; `a && b && c` is one node, however long it goes on."""
        left = self._unary()
        while (rank := _RANKS.get(self._peek().text, 0)) >= least:
            mark = self._advance()
            parts: tuple[Node, ...] = (left,)
            if mark.text in {"&&", "||"} and isinstance(left, Operator):
                parts = left.args if left.symbol == mark.text else parts
            args = (*parts, self._binary(rank + 1))
            left = Operator(mark.at, mark.text, args)
        return left

    def _unary(self) -> Node:
        signs: list[Token] = []
        while self._peek().kind == "symbol" and self._peek().text in {"!", "-"}:
            signs.append(self._advance())
        if signs and signs[-1].text == "-" and self._peek().kind == "number":
            node = self._member(self._number(self._advance(), minus=signs.pop()))
        else:
            node = self._member(self._primary())
        for sign in reversed(signs):
            node = Operator(sign.at, "!" if sign.text == "!" else "neg", (node,))
        return node

    def _member(self, node: Node) -> Node:
        while True:
            if self._take("."):
                node = self._field_or_method(node)
            elif mark := self._take("["):
                key = self._expression()
                self._need("]")
                text = key.value if isinstance(key, Literal) else None
                if isinstance(text, str):
                    node = Select(key.at, node, text)
                else:
                    node = Index(mark.at, node, key)
            else:
                return node

    def _field_or_method(self, of: Node) -> Node:
        token = self._advance()
        if token.kind != "name":
            raise self._unexpected(token, "the name of a field")
        if not self._take("("):
            return Select(token.at, of, token.text)
        if token.text in MACROS:
            return self._macro(token, of)
        return Call(token.at, token.text, (of, *self._until(")")), method=True)

    def _macro(self, token: Token, over: Node) -> Node:
        variable, *bodies = self._until(")") or [over]
        if not isinstance(variable, Name) or not 1 <= len(bodies) <= MACROS[token.text]:
            raise FaultyExpression(
                f"{token.text} takes a name and what is to be found for each",
                column=token.at,
                hint=f"Write .{token.text}(r, r.ok)",
            )
        return Macro(token.at, token.text, over, variable.name, tuple(bodies))

    def _primary(self) -> Node:
        token = self._advance()
        match token.kind, token.text:
            case "number", _:
                return self._number(token)
            case "string", text:
                return Literal(token.at, unquoted(text, token.at))
            case "name", "true" | "false":
                return Literal(token.at, token.text == "true")
            case "name", "null":
                return Literal(token.at, None)
            case "name", name if name != "in":
                return self._function(token) if self._take("(") else Name(token.at, name)
            case "symbol", "(":
                node = self._expression()
                self._need(")")
                return node
            case "symbol", "[":
                return ListOf(token.at, tuple(self._until("]")))
            case "symbol", "{":
                return self._map(token)
        raise self._unexpected(token, "a value")

    def _function(self, token: Token) -> Node:
        args = self._until(")")
        if token.text != "has":
            return Call(token.at, token.text, tuple(args), method=False)
        if len(args) != 1 or not isinstance(args[0], Select):
            hint = "Write has(input.limit)"
            raise FaultyExpression("has asks for one field", column=token.at, hint=hint)
        return Select(args[0].at, args[0].of, args[0].field, tested=True)

    def _map(self, token: Token) -> Node:
        keys: list[Node] = []
        values: list[Node] = []
        while not self._take("}"):
            keys.append(self._expression())
            self._need(":")
            values.append(self._expression())
            if not self._take(","):
                self._need("}")
                break
        return MapOf(token.at, tuple(keys), tuple(values))

    def _until(self, closing: str) -> list[Node]:
        items: list[Node] = []
        while not self._take(closing):
            items.append(self._expression())
            if not self._take(","):
                self._need(closing)
                break
        return items

    def _number(self, token: Token, minus: Token | None = None) -> Literal:
        text, at = token.text.lower(), minus.at if minus else token.at
        value: int | float
        if text.endswith("u"):
            raise FaultyExpression("there are no unsigned numbers", column=at, hint="Leave out u")
        if text.startswith("0x"):
            value = int(text, 16)
        else:
            value = float(text) if set(text) & {".", "e"} else int(text)
        value = -value if minus else value
        if (isinstance(value, int) and value not in INT64) or abs(value) == float("inf"):
            raise FaultyExpression("this number is too large", column=at)
        return Literal(at, value)

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _advance(self) -> Token:
        token = self._tokens[self._next]
        if token.kind != "end":
            self._next += 1
        return token

    def _take(self, symbol: str) -> Token | None:
        token = self._peek()
        return self._advance() if token.kind == "symbol" and token.text == symbol else None

    def _need(self, symbol: str) -> None:
        if not self._take(symbol):
            raise self._unexpected(self._peek(), f'"{symbol}"')

    @staticmethod
    def _unexpected(token: Token, wanted: str = "") -> FaultyExpression:
        seen = f'"{token.text}"' if token.text else "the end"
        problem = f"{wanted} is missing before {seen}" if wanted else f"{seen} is too much here"
        return FaultyExpression(problem, column=token.at)


def _refuse_depth(tree: Node) -> None:
    waiting = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_NESTING:
            raise _too_deep(node.at)
        waiting.extend((child, depth + 1) for child in children(node))


def _too_deep(column: int) -> FaultyExpression:
    return FaultyExpression(f"is nested more than {MAX_NESTING} deep", column=column)
