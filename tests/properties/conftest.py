"""The same examples on every machine and every run, and no test that fails because a machine is slow."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "the same everywhere",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("the same everywhere")
