#pragma once

#include "services/common/config/schema/schema.h"

namespace stoker::config {

// The schema of each struct of this folder, defined beside it in the .cc file of the same name.
// Descriptions and defaults are what docs/reference/components is generated from.

const Schema& TlsConfigSchema();
// Checks that at most one way to authenticate is given.
const Schema& HttpClientConfigSchema();
const Schema& RelabelRuleSchema();

const Schema& DiscoveryProcessSchema();
const Schema& DiscoveryRelabelSchema();
const Schema& PyroscopeEbpfSchema();
const Schema& PyroscopeWriteSchema();

const Schema& LocalFileSchema();

const Schema& LoggingSchema();
const Schema& StokerSchema();

}  // namespace stoker::config
