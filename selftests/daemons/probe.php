<?php
// SPDX-License-Identifier: GPL-2.0-only
header('Content-Type: text/plain');
echo 6 * 7, " knell\n";
