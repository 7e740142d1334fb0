#include <coppice/runtime/messages/own_messages.hpp>

#include <coppice/runtime/wire/envelope.hpp>

namespace coppice {

std::vector<std::byte> last_message(std::uint64_t to) {
  constexpr std::byte nil{0xc0};
  std::vector<std::byte> frame;
  wire::append_envelope({last_type, {}, {.id = to, .name = {}}, {&nil, 1}, {}}, frame);
  return frame;
}

} // namespace coppice
