#pragma once
// Who is who in messages: the workers' slots by id and by name, the groups, the topics. It says
// which slots a message to some address is for. Pure, but for the actors' handles, which it only
// keeps. Loop thread only; shared by all who route.

#include <coppice/actors/open_asks.hpp>
#include <coppice/runtime/caf/port.hpp>
#include <coppice/runtime/wire/envelope.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace coppice {

/// A slot that messages can reach, whichever process fills it; or the primary, id 0.
struct resident {
  std::uint64_t id = 0;
  std::string name;  ///< "web/2", "janitor"
  std::string group; ///< "web"
  caf::actor mailbox;
  bool ready = false; ///< a process is there that takes messages
  bool full = false;  ///< it has been sent more than it has room for
  std::shared_ptr<open_asks> asks = std::make_shared<open_asks>(); ///< that it has been given
};

class address_book {
public:
  /// Replaces one of the same id.
  void move_in(resident who);
  /// Nobody reaches it any more; its subscriptions end.
  void move_out(std::uint64_t id);
  [[nodiscard]] resident* find(std::uint64_t id);

  /// The residents whom a message from `sender` to this address is for: none if there is nobody of
  /// that name. A group's turn goes to one that is ready and has room, if there is one; else to one
  /// that is ready; else to whom is next.
  void resolve(const wire::address& to, std::uint64_t sender, std::vector<resident*>& into);

  /// False: there are limits::topics already.
  [[nodiscard]] bool subscribe(std::uint64_t id, std::string_view topic);
  void unsubscribe(std::uint64_t id, std::string_view topic);

  /// Nobody waits for the answer to this ask any more; to any ask of that process.
  void forget_ask(ask_key ask);
  void forget_asker(std::uint64_t id, std::uint32_t incarnation);

private:
  struct group {
    std::vector<std::uint64_t> members; ///< ascending
    std::size_t next = 0;
  };
  template <class T>
  using by_name = std::map<std::string, T, std::less<>>;

  void add_members(const std::vector<std::uint64_t>& ids, std::vector<resident*>& into);
  [[nodiscard]] resident* take_turn(group& of);

  std::map<std::uint64_t, resident> residents_; ///< in the order of their ids, for "*"
  by_name<std::uint64_t> names_;
  by_name<group> groups_;
  by_name<std::vector<std::uint64_t>> topics_; ///< subscribers, in the order in which they came
};

} // namespace coppice
