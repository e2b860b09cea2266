#pragma once

#include "services/common/config/schema/schema.h"

namespace stoker::config {

// The schema of each struct of this folder, defined beside it in the .cc file of the same name.
// Descriptions and defaults are what docs/reference/components is generated from.

const Schema& TlsConfigSchema();
// Checks that at most one way to authenticate is given.
const Schema& HttpClientConfigSchema();
const Schema& RelabelRuleSchema();

const Schema& DiscoveryDnsSchema();
const Schema& DiscoveryDockerSchema();
const Schema& DiscoveryDockerSwarmSchema();
const Schema& DiscoveryFileSchema();
const Schema& DiscoveryHttpSchema();
const Schema& DiscoveryKubeletSchema();
const Schema& DiscoveryKubernetesSchema();
const Schema& DiscoveryProcessSchema();
const Schema& DiscoveryRelabelSchema();

const Schema& PyroscopeEbpfSchema();
const Schema& PyroscopeEnrichSchema();
const Schema& PyroscopeJavaSchema();
const Schema& PyroscopeReceiveHttpSchema();
const Schema& PyroscopeRelabelSchema();
const Schema& PyroscopeScrapeSchema();
const Schema& PyroscopeWriteSchema();

const Schema& LocalFileSchema();
const Schema& RemoteHttpSchema();

const Schema& LoggingSchema();
const Schema& StokerSchema();

}  // namespace stoker::config
