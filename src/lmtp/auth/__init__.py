# SPDX-License-Identifier: Apache-2.0
"""
Who a client is: SASL mechanisms and the passwords behind them (RFC 4954).
"""
