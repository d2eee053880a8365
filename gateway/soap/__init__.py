"""The SOAP face at ``/soap``: contract first, SOAP 1.1 and 1.2. The contract is ``wsdl/``."""
