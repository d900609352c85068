using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Sqlite.Budgets;
using Penstock.Sqlite.Native;
using Penstock.Sqlite.Usage;

namespace Penstock.Sqlite;

/// <summary>
/// The embedded store: <c>penstock.db</c> in a data folder that this process owns alone. Writes are on disk when their task completes and survive
/// <c>kill -9</c> and a power cut. Disposing carries out what was accepted and gives the folder back.
/// </summary>
public sealed partial class SqliteDatabase : IAsyncDisposable
{
    // WAL lets readers go on while the writer commits. FULL syncs at each commit: NORMAL would lose the last ones in a power cut.
    // The writer's connection is also the only one that checkpoints.
    private const string WriterSettings = """
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL;
        PRAGMA wal_autocheckpoint = 4000;
        PRAGMA journal_size_limit = 67108864;
        PRAGMA cache_size = -32000;
        PRAGMA temp_store = MEMORY;
        """;

    private const string ReadJournalMode = "PRAGMA journal_mode";

    private readonly DataFolder _folder;
    private readonly WriteQueue _writes;
    private readonly ReadPool _reads;

    private SqliteDatabase(DataFolder folder, Session writer, IReadOnlyList<AppliedMigration> applied)
    {
        (_folder, Applied) = (folder, applied);
        (_writes, _reads) = (new WriteQueue(writer, Books), new ReadPool(folder.Database));
    }

    /// <summary>Which SQLite this runs on.</summary>
    public SqliteLibrary Library { get; } = SqliteLibrary.Loaded;

    /// <summary>Full path of the database file.</summary>
    public string File => _folder.Database;

    /// <summary>Steps of the schema that opening took; none where the database was up to date.</summary>
    public IReadOnlyList<AppliedMigration> Applied { get; }

    /// <summary>Balances and rollups as the writer knows them; used by write operations only.</summary>
    internal Books Books { get; } = new();

    /// <summary>Transactions committed since opening: fewer than writes wherever several waited at once.</summary>
    internal long Commits => _writes.Commits;

    /// <summary>Opens the database, makes it where there is none, and brings its schema up to date.</summary>
    /// <exception cref="DataFolderInUseException">Another process has the folder.</exception>
    /// <exception cref="SchemaException">A newer build made the database.</exception>
    /// <exception cref="SqliteUnavailableException">There is no SQLite library to run on.</exception>
    /// <exception cref="SqliteException">The file is broken or no database.</exception>
    public static SqliteDatabase Open(SqliteOptions options, TimeProvider? time = null, ILogger<SqliteDatabase>? logger = null)
    {
        var library = SqliteLibrary.Loaded;
        var folder = DataFolder.Own(options.DataFolder);
        Session? writer = null;
        try
        {
            writer = OpenWriter(folder.Database);
            var applied = Migrations.Apply(writer, folder.Database, Migrations.All, time ?? TimeProvider.System);
            RollupsOfOld.Make(writer);
            Log(logger ?? NullLogger<SqliteDatabase>.Instance, folder.Database, library, applied);
            return new SqliteDatabase(folder, writer, applied);
        }
        catch
        {
            writer?.Dispose();
            folder.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Runs <paramref name="operation"/> on the writer's connection, in one transaction with whatever else waits, and completes when it is on disk.
    /// What it throws reaches this caller alone and undoes this operation alone. It is quick, and does nothing but read and write through its session
    /// and, as the last thing and without a chance to fail, gather in <see cref="Books"/>.
    /// <paramref name="ct"/> ends the wait for room in the queue; an operation that was accepted is carried out.
    /// </summary>
    internal Task<T> WriteAsync<T>(Func<Session, T> operation, CancellationToken ct) => _writes.AddAsync(operation, ct);

    /// <summary>
    /// Runs <paramref name="operation"/> with the next writes, and without waking the writer for it; when the database closes at the latest. Nobody hears
    /// of its failure. <paramref name="done"/> runs when it is on disk, or has failed.
    /// </summary>
    internal void WriteLater(Action<Session> operation, Action done) => _writes.AddLater(operation, done);

    /// <summary>Runs <paramref name="read"/> over one snapshot. Every write that completed before is in it.</summary>
    internal Task<T> ReadAsync<T>(Func<Session, T> read, CancellationToken ct) => _reads.RunAsync(read, ct);

    public async ValueTask DisposeAsync()
    {
        // Readers first: the last connection to close folds the log into the database, and only the writer can.
        await _reads.DisposeAsync();
        await _writes.DisposeAsync();
        _folder.Dispose();
    }

    private static Session OpenWriter(string database)
    {
        var session = Session.Open(database, readOnly: false);
        try
        {
            session.RunScript(WriterSettings);
            using var mode = session.Use(ReadJournalMode);
            mode.Step();
            if (mode.Text(0) != "wal") throw new SqliteException(0, $"{database} cannot keep a write-ahead log here (it says '{mode.Text(0)}'). Put the data folder on a local disk.");
            return session;
        }
        catch (SqliteException e) when (e.PrimaryCode == Sqlite3.NotADatabase)
        {
            session.Dispose();
            throw new SqliteException(e.Code, $"{database} is not a SQLite database. Move it away, or name another data folder (PENSTOCK_DATA).");
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    private static void Log(ILogger logger, string database, SqliteLibrary library, IReadOnlyList<AppliedMigration> applied)
    {
        foreach (var migration in applied) LogMigrated(logger, database, migration.Number, migration.Name);
        LogOpened(logger, database, library.Version, library.Path);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Opened {Database} with SQLite {Version} from {Library}")]
    private static partial void LogOpened(ILogger logger, string database, string version, string library);

    [LoggerMessage(Level = LogLevel.Information, Message = "Migrated {Database} to {Number} '{Name}'")]
    private static partial void LogMigrated(ILogger logger, string database, int number, string name);
}
