"""Properties of everything registered, a file a property.

`cases` derives from the registries what each of them runs over; nobody adds a
name here. A component that is registered is tested from then on.
"""
