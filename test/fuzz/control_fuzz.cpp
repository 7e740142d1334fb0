// Control packets: whatever comes is refused or understood, and what is understood means the same
// when it is encoded and decoded again.

#include "must.hpp"

#include <coppice/runtime/wire/control.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

using namespace coppice::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = decode_control(std::as_bytes(std::span{data, size}));
  if (!message) {
    must(message.error().verb == "decode" && !message.error().reason.empty(), "an error says why");
    return 0;
  }
  must(!name_of(*message).empty(), "a message has a name");
  (void)descriptors_of(*message);
  std::visit(
      [&](const auto& known) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(known)>, unknown>) {
          buffer out;
          must(decode_control(encode_control(known, out)) == *message,
               "the same after a round trip");
        }
      },
      *message);
  return 0;
}
