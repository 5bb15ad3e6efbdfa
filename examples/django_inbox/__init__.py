# SPDX-License-Identifier: Apache-2.0
"""
A Django application that gets mail: add ``django_inbox`` to INSTALLED_APPS and run ``manage.py receive_mail``.
"""
