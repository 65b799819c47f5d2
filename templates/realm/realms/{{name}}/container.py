"""What the realm of {{title}} is made of."""

from foundations.wiring import wire
from realms.{{name}}.counting import {{Name}}Service

container = wire({{Name}}Service)
