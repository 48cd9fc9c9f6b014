"""What is not about images of forgeries: files, arrays, random numbers, memory, processes, tables.

Nothing is imported here, because parts of the package may load neither torch nor OpenMMLab.
"""
