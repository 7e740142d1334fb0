#pragma once
// Messages to the primary, as a spec sees them.

#include <coppice/runtime/messages/messenger.hpp>

#include <functional>

namespace coppice {

/// One message to the primary, and the means to answer it and to send others. Runs on the primary's
/// loop, which the whole tree waits for: it must not block. What escapes it is a line in the log,
/// and answers an ask with ask_error::no_handler.
using on_primary_message = std::function<void(const message&, messenger&)>;

} // namespace coppice
