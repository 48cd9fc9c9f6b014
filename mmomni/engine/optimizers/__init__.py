from .joined_groups import JoinedGroups

__all__ = ['JoinedGroups']
