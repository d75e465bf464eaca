"""Parts in processes of their own: spawn, typed messages, deadlines, supervision, real-time priority."""
