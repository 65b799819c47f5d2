"""Testing journeys without a server: mocked services, virtual time, crashes, branch coverage."""
