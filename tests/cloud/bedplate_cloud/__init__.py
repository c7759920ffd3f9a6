"""The local cloud: moto with the behaviours of AWS that break provisioners.

Start it with `python -m bedplate_cloud`; the README next to this package lists every deviation from plain moto.
Nothing here imports moto at the top of the package: `settings.prepare` has to set moto's environment first.
"""
