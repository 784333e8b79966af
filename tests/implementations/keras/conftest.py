"""Devices that tests of distribution need, made before the backend starts: afterwards it is too late."""

import os

if os.environ.get("KERAS_BACKEND") == "jax":
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8".strip()
if os.environ.get("KERAS_BACKEND") == "tensorflow":
    import tensorflow

    (cpu,) = tensorflow.config.list_physical_devices("CPU")
    two = [tensorflow.config.LogicalDeviceConfiguration()] * 2
    tensorflow.config.set_logical_device_configuration(cpu, two)
