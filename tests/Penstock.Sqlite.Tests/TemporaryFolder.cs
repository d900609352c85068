namespace Penstock.Sqlite.Tests;

/// <summary>A data folder that does not exist yet, gone after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private readonly DirectoryInfo _parent = Directory.CreateTempSubdirectory("penstock-");

    public string Path => System.IO.Path.Combine(_parent.FullName, "data");

    public SqliteOptions Options => new() { DataFolder = Path };

    public SqliteDatabase Open() => SqliteDatabase.Open(Options);

    public void Dispose() => _parent.Delete(recursive: true);
}
