"""What the curator is made of."""

from foundations.curator.catalogue import Catalogue
from foundations.curator.curator import CuratorFoundationService
from foundations.wiring import wire

container = wire(Catalogue, CuratorFoundationService)
