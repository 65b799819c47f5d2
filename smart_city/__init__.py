"""The platform's roles, each seen only through its `api`; `SmartCityGateway` finds them by name."""
