"""The platform's roles. Each is seen only through its `api`; `SmartCityGateway` finds them by name."""
