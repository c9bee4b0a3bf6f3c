"""bytes <-> (operation, params): the six protocols of AWS, driven by botocore's models.

JSON and CBOR are walks over the model's shapes, in ``shapes.py``. The query, EC2 and REST protocols are moto's parser
and serializer, which ``moto_wire.py`` loads when the first such request comes. ``validation.py`` checks parsed parameters.
"""
