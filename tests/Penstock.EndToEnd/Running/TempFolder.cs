namespace Penstock.EndToEnd.Running;

/// <summary>A folder that outlives a server, for tests that start it again.</summary>
internal sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("penstock-e2e-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
