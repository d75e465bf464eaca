"""The nets as they are trained: mapper and culture adapter in torch, and the four nets as one."""
