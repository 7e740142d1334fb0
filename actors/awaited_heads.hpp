#pragma once
// The connections of a sticky pool whose first bytes are awaited. Each comes out, with the affinity
// that was found or without, or is closed with its client. Pure bookkeeping over a first_bytes.

#include <coppice/actors/accepted_socket.hpp>
#include <coppice/runtime/net/first_bytes.hpp>
#include <coppice/runtime/net/head_value.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>
#include <vector>

namespace coppice {

class awaited_heads {
public:
  using given_out = std::deque<accepted_socket>;

  /// `bytes` outlives it.
  awaited_heads(first_bytes& bytes, head_key key) : bytes_{bytes}, key_{std::move(key)} {}
  awaited_heads(const awaited_heads&) = delete;
  awaited_heads& operator=(const awaited_heads&) = delete;
  ~awaited_heads();

  // What each of these lets go is appended to `into`.

  /// Most clients have sent their request by the time that they are accepted, and need no wait.
  void add(accepted_socket connection, given_out& into);
  void on_news(const std::vector<first_bytes_news>& news, given_out& into);
  /// Those that were added before `mark` was read have waited long enough.
  void give_out_before(std::uint64_t mark, given_out& into);
  void give_out_all(given_out& into) { give_out_before(mark(), into); }

  [[nodiscard]] std::uint64_t mark() const noexcept { return next_; }
  [[nodiscard]] std::size_t size() const noexcept { return awaited_.size(); }

private:
  struct awaited {
    accepted_socket connection;
    std::size_t looks = 1;
  };
  using place = std::map<std::uint64_t, awaited>::iterator;
  enum class finding { wait, give_out, close };

  /// What the socket has decides, and nothing more is expected if it has `ended`.
  [[nodiscard]] finding look(accepted_socket& connection, bool ended);
  /// To `into`, or to its end.
  void let_go(place at, finding found, given_out& into);

  first_bytes& bytes_;
  head_key key_;
  std::map<std::uint64_t, awaited> awaited_; ///< by id: the first has waited longest
  std::uint64_t next_ = 1;
};

} // namespace coppice
