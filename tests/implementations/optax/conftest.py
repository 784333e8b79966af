"""Eight devices on one CPU, for the sharded runs. A process chooses once, before its first array.

In a process of their own the sharded tests would start JAX again; and what runs on one device does not change because
there are others.
"""

import jax

jax.config.update("jax_num_cpu_devices", 8)
