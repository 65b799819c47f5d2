"""Tools that would be of use to any program: errors, time, ids, call context, tracing."""
