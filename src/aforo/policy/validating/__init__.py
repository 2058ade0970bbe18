"""What refuses a call for what it shows: token_check, token_syntax (tokens of callers); contract_check, contract_syntax
(what an operation declares); json_schema; xml_reading, xml_schema. The `_syntax` files declare and compile, the others run.
"""
