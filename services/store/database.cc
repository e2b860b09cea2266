#include "services/store/database.h"

#include <initializer_list>
#include <utility>

#include <nlohmann/json.hpp>
#include <sqlite3.h>

#include "services/common/base/status.h"

namespace stoker::store {
namespace {

// Labels are JSON, so that the sqlite3 shell shows and queries them.
constexpr char kSchema[] = R"sql(
  CREATE TABLE series (id INTEGER PRIMARY KEY, labels TEXT NOT NULL);
  CREATE TABLE block (id INTEGER PRIMARY KEY, min_time INTEGER NOT NULL, max_time INTEGER NOT NULL,
                      bytes INTEGER NOT NULL, profiles INTEGER NOT NULL);
  CREATE TABLE block_series (block INTEGER NOT NULL, series INTEGER NOT NULL,
                             min_time INTEGER NOT NULL, max_time INTEGER NOT NULL,
                             PRIMARY KEY (block, series)) WITHOUT ROWID;
  CREATE INDEX block_series_by_series ON block_series (series);
  CREATE TABLE head (sealed_generation INTEGER NOT NULL);
  INSERT INTO head VALUES (0);
)sql";
constexpr char kVersion[] = "1";

// A prepared statement.
class Statement {
 public:
  Statement(sqlite3* db, const char* sql) { sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr); }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& Bind(std::int64_t value) {
    sqlite3_bind_int64(statement_, ++bound_, value);
    return *this;
  }
  Statement& Bind(const std::string& text) {
    sqlite3_bind_text(statement_, ++bound_, text.data(), static_cast<int>(text.size()),
                      SQLITE_TRANSIENT);
    return *this;
  }

  // True with a row to read; after false, done() tells the end from an error.
  bool Next() { return (result_ = sqlite3_step(statement_)) == SQLITE_ROW; }
  [[nodiscard]] bool done() const { return result_ == SQLITE_DONE; }
  // Runs a statement without rows, ready for the next.
  bool Run() {
    Next();
    sqlite3_reset(statement_);
    bound_ = 0;
    return done();
  }

  [[nodiscard]] std::int64_t Int(int column) const {
    return sqlite3_column_int64(statement_, column);
  }
  [[nodiscard]] std::string Text(int column) const {
    const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return text == nullptr
               ? ""
               : std::string(text,
                             static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
  }

 private:
  sqlite3_stmt* statement_ = nullptr;
  int result_ = SQLITE_MISUSE;
  int bound_ = 0;
};

std::string Print(const model::Labels& labels) {
  nlohmann::json object = nlohmann::json::object();
  for (const model::LabelView label : labels) object[label.name] = label.value;
  return object.dump();
}

absl::StatusOr<model::Labels> Parse(const std::string& text) {
  const nlohmann::json object = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return DataLoss("labels of a series are damaged");
  std::vector<model::Label> labels;
  for (const auto& [name, value] : object.items()) {
    if (!value.is_string()) return DataLoss("labels of a series are damaged");
    labels.push_back({name, value.get<std::string>()});
  }
  return model::Labels(std::move(labels));
}

}  // namespace

void Database::Close::operator()(sqlite3* db) const { sqlite3_close_v2(db); }

absl::Status Database::Failure(std::string_view what) const {
  const int code = sqlite3_errcode(db_.get());
  const std::string text = fmt::format("{}: {}", what, sqlite3_errmsg(db_.get()));
  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) return DataLoss("{}", text);
  return Unavailable("{}", text);
}

absl::Status Database::Run(const std::string& sql) {
  if (sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) {
    return absl::OkStatus();
  }
  return Failure("database");
}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  std::unique_ptr<Database> database(new Database());
  sqlite3* db = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int opened = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  database->db_.reset(db);
  if (opened != SQLITE_OK) return database->Failure(path);
  // Changes are rare and together with files that are synced too: they may wait for the disk.
  STOKER_RETURN_IF_ERROR(
      database->Run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
                    "PRAGMA busy_timeout = 5000;"));
  std::int64_t version = 0;
  {
    Statement statement(db, "PRAGMA user_version");
    if (!statement.Next()) return database->Failure(path);
    version = statement.Int(0);
  }
  if (version == 0) {
    database->is_new_ = true;
    STOKER_RETURN_IF_ERROR(database->Run(std::string("BEGIN IMMEDIATE;") + kSchema +
                                         "PRAGMA user_version = " + kVersion + "; COMMIT;"));
  } else if (std::to_string(version) != kVersion) {
    return FailedPrecondition("{}: made by another version of stoker-store (schema {}, ours is {})",
                              path, version, kVersion);
  }
  return database;
}

absl::Status Database::LoadSeries(SeriesCatalog& catalog) {
  Statement statement(db_.get(), "SELECT id, labels FROM series");
  while (statement.Next()) {
    STOKER_ASSIGN_OR_RETURN(model::Labels labels, Parse(statement.Text(1)));
    catalog.Restore(static_cast<SeriesId>(statement.Int(0)), std::move(labels));
  }
  return statement.done() ? absl::OkStatus() : Failure("read series");
}

absl::StatusOr<std::vector<BlockInfo>> Database::Load(SeriesCatalog& catalog) {
  STOKER_RETURN_IF_ERROR(LoadSeries(catalog));
  std::vector<BlockInfo> blocks;
  Statement statement(db_.get(),
                      "SELECT id, min_time, max_time, bytes, profiles FROM block "
                      "ORDER BY min_time, id");
  while (statement.Next()) {
    blocks.push_back({.id = static_cast<std::uint64_t>(statement.Int(0)),
                      .bounds = {.min = statement.Int(1), .max = statement.Int(2)},
                      .bytes = static_cast<std::uint64_t>(statement.Int(3)),
                      .profiles = static_cast<std::uint64_t>(statement.Int(4))});
  }
  if (!statement.done()) return Failure("read blocks");
  for (BlockInfo& block : blocks) {
    Statement series(db_.get(),
                     "SELECT series, min_time, max_time FROM block_series WHERE block = ?");
    series.Bind(static_cast<std::int64_t>(block.id));
    while (series.Next()) {
      block.series.push_back({.series = static_cast<SeriesId>(series.Int(0)),
                              .bounds = {.min = series.Int(1), .max = series.Int(2)}});
    }
    if (!series.done()) return Failure("read series of a block");
  }
  return blocks;
}

absl::StatusOr<std::uint64_t> Database::SealedGeneration() {
  Statement statement(db_.get(), "SELECT sealed_generation FROM head");
  if (!statement.Next()) return Failure("read sealed generation");
  return static_cast<std::uint64_t>(statement.Int(0));
}

absl::Status Database::AddBlock(const BlockInfo& block, const SeriesCatalog& catalog) {
  Statement insert(db_.get(), "INSERT INTO block VALUES (?, ?, ?, ?, ?)");
  insert.Bind(static_cast<std::int64_t>(block.id)).Bind(block.bounds.min).Bind(block.bounds.max);
  insert.Bind(static_cast<std::int64_t>(block.bytes));
  insert.Bind(static_cast<std::int64_t>(block.profiles));
  if (!insert.Run()) return Failure("add block");
  Statement series(db_.get(), "INSERT OR IGNORE INTO series VALUES (?, ?)");
  Statement in_block(db_.get(), "INSERT INTO block_series VALUES (?, ?, ?, ?)");
  for (const SeriesBounds& one : block.series) {
    if (!series.Bind(one.series).Bind(Print(*catalog.Get(one.series))).Run()) {
      return Failure("add series");
    }
    in_block.Bind(static_cast<std::int64_t>(block.id)).Bind(one.series);
    if (!in_block.Bind(one.bounds.min).Bind(one.bounds.max).Run()) {
      return Failure("add series of a block");
    }
  }
  return absl::OkStatus();
}

absl::Status Database::ApplyAll(const Change& change, const SeriesCatalog& catalog) {
  for (const BlockInfo& block : change.added) {
    STOKER_RETURN_IF_ERROR(AddBlock(block, catalog));
  }
  for (const std::uint64_t id : change.removed) {
    STOKER_RETURN_IF_ERROR(Run(fmt::format(
        "DELETE FROM block WHERE id = {0}; DELETE FROM block_series WHERE block = {0};", id)));
  }
  if (!change.removed.empty()) {
    STOKER_RETURN_IF_ERROR(
        Run("DELETE FROM series WHERE NOT EXISTS "
            "(SELECT 1 FROM block_series WHERE block_series.series = series.id);"));
  }
  if (change.sealed_generation != 0) {
    STOKER_RETURN_IF_ERROR(
        Run(fmt::format("UPDATE head SET sealed_generation = {};", change.sealed_generation)));
  }
  return absl::OkStatus();
}

absl::Status Database::Apply(const Change& change, const SeriesCatalog& catalog) {
  STOKER_RETURN_IF_ERROR(Run("BEGIN IMMEDIATE;"));
  absl::Status status = ApplyAll(change, catalog);
  if (status.ok()) status = Run("COMMIT;");
  // The first error counts, whatever the rollback says.
  if (!status.ok()) sqlite3_exec(db_.get(), "ROLLBACK;", nullptr, nullptr, nullptr);
  return status;
}

}  // namespace stoker::store
